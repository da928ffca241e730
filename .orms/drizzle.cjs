const { eq, relations } = require("drizzle-orm");
const { drizzle } = require("drizzle-orm/node-postgres");
const { integer, pgTable, serial, text } = require("drizzle-orm/pg-core");
const { Pool } = require("pg");

const authors = pgTable("authors", { id: serial().primaryKey(), name: text() });
const books = pgTable("books", { id: serial().primaryKey(), title: text(), authorId: integer("author_id") });
const schema = {
  authors,
  books,
  authorRelations: relations(authors, ({ many }) => ({ books: many(books) })),
  bookRelations: relations(books, ({ one }) => ({
    author: one(authors, { fields: [books.authorId], references: [authors.id] }),
  })),
};

exports.open = async (url) => {
  const pool = new Pool({ connectionString: url, max: 3 });
  const db = drizzle({ client: pool, schema });
  return {
    one: async () => {
      return await db.select().from(authors).where(eq(authors.id, 1)); // one
    },
    lazy: async () => {
      for (const { id } of await db.select().from(authors)) {
        await db.query.books.findMany({ where: eq(books.authorId, id) }); // lazy
      }
    },
    eager: async () => {
      return await db.query.authors.findMany({ with: { books: true } }); // eager
    },
    transaction: () =>
      db.transaction(async (tx) => {
        await tx.update(books).set({ title: "changed" }).where(eq(books.id, 1)).execute(); // transaction
      }),
    close: () => pool.end(),
  };
};
