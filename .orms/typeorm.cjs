const { DataSource, EntitySchema } = require("typeorm");

const Author = new EntitySchema({
  name: "Author",
  tableName: "authors",
  columns: { id: { type: Number, primary: true, generated: true }, name: { type: String } },
  relations: { books: { type: "one-to-many", target: "Book", inverseSide: "author", lazy: true } },
});
const Book = new EntitySchema({
  name: "Book",
  tableName: "books",
  columns: { id: { type: Number, primary: true, generated: true }, title: { type: String } },
  relations: {
    author: { type: "many-to-one", target: "Author", inverseSide: "books", joinColumn: { name: "author_id" } },
  },
});

exports.open = async (url) => {
  const source = await new DataSource({ type: "postgres", url, entities: [Author, Book], poolSize: 3 }).initialize();
  const authors = source.getRepository("Author");
  return {
    one: async () => {
      return await authors.findOneBy({ id: 1 }); // one
    },
    lazy: async () => {
      for (const author of await authors.find({ order: { id: "ASC" } })) {
        await author.books; // lazy
      }
    },
    eager: async () => {
      return await authors.find({ relations: { books: true } }); // eager
    },
    transaction: () =>
      source.transaction(async (manager) => {
        await manager.update("Book", { id: 1 }, { title: "changed" }); // transaction
      }),
    close: () => source.destroy(),
  };
};
