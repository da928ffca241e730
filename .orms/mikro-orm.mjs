import { defineEntity, MikroORM, p } from "@mikro-orm/postgresql";

const Author = defineEntity({
  name: "Author",
  tableName: "authors",
  properties: {
    id: p.integer().primary(),
    name: p.text(),
    books: () => p.oneToMany(Book).mappedBy("author"),
  },
});
const Book = defineEntity({
  name: "Book",
  tableName: "books",
  properties: {
    id: p.integer().primary(),
    title: p.text(),
    author: () => p.manyToOne(Author).fieldName("author_id"),
  },
});

export async function open(url) {
  const orm = await MikroORM.init({ clientUrl: url, entities: [Author, Book], pool: { min: 0, max: 3 } });
  return {
    one: async () => {
      return await orm.em.fork().findOne(Author, { id: 1 }); // one
    },
    lazy: async () => {
      for (const author of await orm.em.fork().findAll(Author)) {
        await author.books.loadItems(); // lazy
      }
    },
    eager: async () => {
      return await orm.em.fork().findAll(Author, { populate: ["books"] }); // eager
    },
    transaction: () =>
      orm.em.fork().transactional(async (em) => {
        await em.nativeUpdate(Book, { id: 1 }, { title: "changed" }); // transaction
      }),
    close: () => orm.close(),
  };
}
