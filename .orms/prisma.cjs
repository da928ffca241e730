const { PrismaPg } = require("@prisma/adapter-pg");
const { getPrismaClient } = require("@prisma/client/runtime/client");

/** What `prisma generate` writes for the schema below, as far as the runtime reads it: to run it needs the command line, 300 MB. */
const PrismaClient = getPrismaClient({
  previewFeatures: [],
  clientVersion: "7.10.0",
  engineVersion: "",
  activeProvider: "postgresql",
  inlineSchema: `
generator client {
  provider = "prisma-client-js"
}

datasource db {
  provider = "postgresql"
}

model Author {
  id    Int    @id @default(autoincrement())
  name  String
  books Book[]

  @@map("authors")
}

model Book {
  id       Int    @id @default(autoincrement())
  title    String
  authorId Int    @map("author_id")
  author   Author @relation(fields: [authorId], references: [id])

  @@map("books")
}
`,
  runtimeDataModel: {
    models: {
      Author: {
        fields: [
          { name: "id", kind: "scalar", type: "Int" },
          { name: "name", kind: "scalar", type: "String" },
          { name: "books", kind: "object", type: "Book", relationName: "AuthorToBook" },
        ],
        dbName: "authors",
        schema: null,
      },
      Book: {
        fields: [
          { name: "id", kind: "scalar", type: "Int" },
          { name: "title", kind: "scalar", type: "String" },
          { name: "authorId", kind: "scalar", type: "Int", dbName: "author_id" },
          { name: "author", kind: "object", type: "Author", relationName: "AuthorToBook" },
        ],
        dbName: "books",
        schema: null,
      },
    },
    enums: {},
    types: {},
  },
  parameterizationSchema: { strings: [], graph: "AAAAAAAAAAAA" },
  compilerWasm: {
    getRuntime: async () => require("@prisma/client/runtime/query_compiler_fast_bg.postgresql.js"),
    getQueryCompilerWasmModule: async () => {
      const { wasm } = require("@prisma/client/runtime/query_compiler_fast_bg.postgresql.wasm-base64.js");
      return new WebAssembly.Module(Buffer.from(wasm, "base64"));
    },
    importName: "./query_compiler_fast_bg.js",
  },
});

exports.open = async (url) => {
  const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: url, max: 3 }) });
  return {
    one: async () => {
      return await prisma.author.findFirst({ where: { id: 1 } }); // one
    },
    lazy: async () => {
      for (const { id } of await prisma.author.findMany()) {
        await prisma.book.findMany({ where: { authorId: id } }); // lazy
      }
    },
    eager: async () => {
      return await prisma.author.findMany({ include: { books: true } }); // eager
    },
    transaction: () =>
      prisma.$transaction(async (tx) => {
        await tx.book.updateMany({ where: { id: 1 }, data: { title: "changed" } }); // transaction
      }),
    close: () => prisma.$disconnect(),
  };
};
