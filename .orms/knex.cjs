const knex = require("knex");

exports.open = async (url) => {
  const db = knex({ client: "pg", connection: url, pool: { min: 0, max: 3 } });
  return {
    one: async () => {
      return await db("authors").where({ id: 1 }); // one
    },
    lazy: async () => {
      for (const author of await db("authors").orderBy("id")) {
        author.books = await db("books").where({ author_id: author.id }); // lazy
      }
    },
    eager: async () => {
      const authors = await db("authors").orderBy("id");
      const ids = authors.map(({ id }) => id);
      return await db("books").whereIn("author_id", ids); // eager
    },
    transaction: () =>
      db.transaction(async (trx) => {
        await trx("books").where({ id: 1 }).update({ title: "changed" }); // transaction
      }),
    close: () => db.destroy(),
  };
};
