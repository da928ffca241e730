const words = (list: string): ReadonlySet<string> => new Set(list.split(" "));

/** Verbs of statements that read; whatever is neither here nor in CONTROL writes. */
export const READ = words("select with values table show explain fetch move declare describe desc pragma");
export const CONTROL = words(
  "begin start commit end rollback abort savepoint release set reset discard listen unlisten notify deallocate " +
    "prepare lock close use unlock",
);
export const MODIFY = words("insert update delete merge replace");
/** `ON CONFLICT DO UPDATE`, `WHEN MATCHED THEN DELETE`, `FOR UPDATE`, `ON DELETE CASCADE`: no operations of their own. */
export const BEFORE_CLAUSE = words("do then for key on or before after instead , . and");
/** Where these stand no name does. */
export const JOINS = words("inner left right full cross natural join outer straight_join on using as");
export const END_OF_FROM = words(
  "where group order limit offset fetch having window union except intersect set values returning when for select",
);
/** Between a verb, or FROM, and the name. */
export const BEFORE_NAME = words("if not exists only concurrently lateral");
/** Between a verb and the kind of object, or INTO. */
export const BEFORE_OBJECT = words(
  "or replace abort rollback fail temp temporary unlogged global local unique recursive force ignore low_priority",
);
export const OBJECTS = words(
  "table index view sequence schema database type function procedure trigger extension role user domain policy " +
    "materialized tablespace publication subscription aggregate rule server collation",
);
/** After these `-` is a sign and no subtraction. */
export const BEFORE_OPERAND = words(
  "all and any between by case distinct else from having ilike in interval is like limit not offset on or return " +
    "returning select set similar some then to values when where",
);
/** The clauses that may follow ORDER BY and GROUP BY. */
export const AFTER_ORDER = words("limit offset fetch for having window union except intersect select where from");
