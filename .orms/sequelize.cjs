const { DataTypes, Sequelize } = require("sequelize");

exports.open = async (url) => {
  const sequelize = new Sequelize(url, { logging: false, pool: { max: 3 }, define: { timestamps: false } });
  const Author = sequelize.define("Author", { name: DataTypes.TEXT }, { tableName: "authors" });
  const Book = sequelize.define("Book", { title: DataTypes.TEXT }, { tableName: "books" });
  Author.hasMany(Book, { foreignKey: "author_id", as: "books" });
  return {
    one: async () => {
      return await Author.findOne({ where: { id: 1 } }); // one
    },
    lazy: async () => {
      for (const author of await Author.findAll({ order: ["id"] })) {
        await author.getBooks(); // lazy
      }
    },
    eager: async () => {
      return await Author.findAll({ include: "books" }); // eager
    },
    transaction: () =>
      sequelize.transaction(async (transaction) => {
        await Book.update({ title: "changed" }, { where: { id: 1 }, transaction }); // transaction
      }),
    close: () => sequelize.close(),
  };
};
