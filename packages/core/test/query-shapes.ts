export interface Variant {
  text: string;
  values?: unknown[];
}

/**
 * One line, one shape, whose variants all are one query to PostgreSQL. `~name` may be quoted; `#i` integer, `#p` above
 * zero, `#v` integer or a string that becomes one, `#n` numeric, `#s` text, `#t` time, `#b` boolean, `#is` and `#ss`
 * lists of two and more. A space may be any white space or comment.
 */
export const SHAPES: readonly string[] = [
  "select ~id from ~orders where ~id = #v",
  "select ~id , ~note from ~orders where ~id = #v",
  "select ~id from ~customers where ~id = #v",
  "select ~id from ~orders where ~id <> #v",
  "select ~id from ~orders where ~id = #v and ~note = #s",
  "select ~id from ~orders where ~id = #v or ~note = #s",
  "select ~id from ~orders where ~id in ( #is )",
  "select ~id from ~orders where ~id not in ( #is )",
  "select ~id from ~orders where ~note in ( #ss )",
  "select ~id from ~orders where ~note in ( #ss ) and ~id in ( #is )",
  "select ~id from ~orders where ~id < any ( array [ #is ] )",
  "select ~id from ~orders where ~tags = '{1,2}' :: int [ ]",
  "select ~id from ~orders where ~tags @> array [ #is ]",
  "select ~id from ~orders where ~tags [ #p ] = #v",
  "select ~id from ~orders where ~total > #n",
  "select ~id from ~orders where ~total * #n - ~total > #n",
  "select ~id from ~orders where ~created > #t",
  "select ~id from ~orders where ~created > now ( ) - interval #h",
  "select ~id from ~orders where ~paid = #b",
  "select ~id from ~orders where ~paid is true",
  "select ~id from ~orders where ~paid is not true",
  "select ~id from ~orders where ~paid is null",
  "select ~id from ~orders where ~paid is not null",
  "select ~id from ~orders where ~paid is distinct from #b",
  "select ~id from ~orders where not ~paid",
  "select ~id from ~orders where ~note like #s",
  "select ~id from ~orders where ~note ilike #s",
  "select ~id from ~orders order by ~created desc limit #p",
  "select ~id from ~orders order by ~created desc limit #p offset #p",
  "select ~id , ~note from ~orders order by 1 , 2",
  "select ~id , ~note from ~orders order by 2 , 1",
  "select ~country , count ( * ) from ~customers group by 1 having count ( * ) > #i order by 2 desc",
  "select ~o . ~id , ~c . ~name from ~orders ~o join ~customers ~c on ~c . ~id = ~o . ~customer_id where ~c . ~country = #s",
  "select ~o . ~id , ~c . ~name from ~orders ~o left join ~customers ~c on ~c . ~id = ~o . ~customer_id where ~c . ~country = #s",
  "select ~id from ~orders where ~customer_id in ( select ~id from ~customers where ~name = #s )",
  "select ~id from ~orders ~o where exists ( select #i from ~customers ~c where ~c . ~id = ~o . ~customer_id and ~c . ~id > #v )",
  "with ~x as ( select ~id from ~orders where ~id > #v ) select ~id from ~x where ~id < #v",
  "select ~total :: text from ~orders where ~id = #v",
  "select ~total :: numeric ( #p , 2 ) from ~orders",
  "select case when ~id > #v then #s else ~note end from ~orders",
  "select coalesce ( ~note , #s ) from ~orders",
  "select ~note || #s from ~orders",
  "select ~note || #s || #s from ~orders",
  "select #i",
  "select #i , #i",
  "select * from generate_series ( #i , #i ) as ~g",
  "select ~id from ~orders union all select ~id from ~customers where ~id = #v",
  "select ~id from ~orders union select ~id from ~customers where ~id = #v",
  "select ~id from ~orders where ~id = #v for update",
  "values ( #i , #i )",
  "values ( #i , #i ) , ( #i , #i )",
  "insert into ~orders ( ~id , ~note ) values ( #v , #s )",
  "insert into ~orders ( ~id , ~note ) values ( #i , #s ) , ( #i , #s )",
  "insert into ~targets ( ~id , ~name ) values ( #v , #s ) on conflict ( ~id ) do update set ~name = #s",
  "insert into ~customers ( ~id ) select ~id from ~orders where ~id = #v and ~note = #s returning ~id",
  "update ~orders set ~note = #s where ~id = #v",
  "update ~orders set ~note = #s , ~paid = #b where ~id = #v",
  "delete from ~customers where ~name = #s",
  "delete from ~customers where ~id = #v returning ~id",
  "merge into ~targets ~t using ~customers ~c on ~t . ~id = ~c . ~id when matched and ~c . ~id = #v then update set ~name = #s",
  "select ~id from ~orders where ~id = $1",
  "select ~id from ~orders where ~id = $1 and ~customer_id = #v",
  "select ~id from ~orders where ~id = $2 and ~customer_id = $1",
  "set work_mem = #m",
  "set local work_mem to #m",
  "show work_mem",
  "begin",
  "savepoint #w",
  "rollback to savepoint #w",
  "release savepoint #w",
  "commit",
  "call nothing ( #i )",
  "truncate ~targets",
];

/** Variants of SHAPES, the same for the same seed. */
export function createVariants(seed: number): { next(shape: number): Variant } {
  let state = seed >>> 0;
  const below = (limit: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  const pick = (from: readonly string[]): string => from[below(from.length)] ?? "";
  const write = (ways: readonly (() => string)[]): string => ways[below(ways.length)]?.() ?? "";
  /** A shape's savepoint must exist, so their name is the same within one round. */
  let savepoint = "s";

  const positive = (): string =>
    pick([`${1 + below(99_999)}`, `0x${(1 + below(9_999)).toString(16)}`, `1_${100 + below(900)}`, `0b1${below(2)}`]);
  const integer = (): string => pick(["", "", "-", "- "]) + positive();
  const content = (): string =>
    pick(["", "a", "it''s", "-- no comment", "/* neither */", "$1", '"x"', "SELECT 1;", "ü€😀", "\\"]) + below(1_000);
  const string = (): string =>
    write([
      () => `'${content()}'`,
      () => `E'${below(99)}\\'\\\\ \\n'`,
      () => `U&'\\0041${below(99)}'`,
      () => `$$it's ${below(99)}$$`,
      () => `$tag$ $$ ' ${below(99)} $tag$`,
      () => `'a${below(99)}'\n  '${content()}'`,
    ]);
  const whole = (): string => `${below(9_999)}`;
  const value = (): string =>
    write([
      integer,
      integer,
      () => `'${whole()}'`,
      () => `E'${whole()}'`,
      () => `$$${whole()}$$`,
      () => `$q$${whole()}$q$`,
      () => "null",
    ]);
  const time = (): string => `'20${10 + below(20)}-0${1 + below(9)}-11 10:00:${10 + below(49)}'`;
  const list = (of: () => string): string =>
    Array.from({ length: 2 + below(9) }, of).join(pick([",", " , ", ",\n\t", ", /* next */ "]));
  const LITERALS: Record<string, () => string> = {
    "#i": integer,
    "#p": () => `${1 + below(9)}`,
    "#v": value,
    "#n": () =>
      pick([
        `${below(99)}.${below(99)}`,
        `.${1 + below(99)}`,
        `${1 + below(9)}e${below(5)}`,
        `-1.5E-${1 + below(3)}`,
        "1_000.5",
        "7.",
      ]),
    "#s": () => write([string, string, string, () => "NULL"]),
    "#t": time,
    "#h": () => `'${1 + below(99)} ${pick(["hours", "days"])}'`,
    "#b": () => pick(["true", "false", "TRUE", "'t'", "False"]),
    "#is": () =>
      list(() => write([integer, () => `${integer()}`, () => `'${whole()}'::int`, () => `${positive()}::int4`])),
    "#ss": () => list(() => write([string, () => `'${below(99)}'::text`])),
    "#m": () => pick([`'${1 + below(9)}MB'`, `${1_000 + below(9_000)}`]),
    "#w": () => savepoint,
  };
  const space = (): string =>
    pick([
      " ",
      " ",
      " ",
      "  ",
      "\n",
      "\t",
      "\r\n  ",
      " -- it's a comment\n",
      " /* a 'comment' $1 */ ",
      "/* one /* in */ another */",
      " --\n",
    ]);
  const cased = (word: string): string =>
    pick([word, word.toUpperCase(), word.charAt(0).toUpperCase() + word.slice(1)]);

  function expand(part: string): string {
    const literal = LITERALS[part];
    if (literal !== undefined) return literal();
    if (part.startsWith("~")) return pick([cased(part.slice(1)), cased(part.slice(1)), `"${part.slice(1)}"`]);
    return part.startsWith("'") ? part : cased(part);
  }

  return {
    next(shape) {
      const template = SHAPES[shape] ?? "";
      if (template === "savepoint #w") savepoint = `s${below(1_000)}`;
      let text = pick(["", "", "  ", "/* lead */ "]);
      for (const part of template.split(" ")) text += expand(part) + space();
      text = text.trimEnd() + pick(["", "", ";", " ;\n", " -- the end"]);
      const parameters = new Set(template.match(/\$\d/g)).size;
      return parameters === 0 ? { text } : { text, values: Array.from({ length: parameters }, () => below(99)) };
    },
  };
}
