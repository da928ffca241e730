/**
 * To be extended by a class with one private field, which it then puts on the object that it is given: `super()` returns that object. No
 * key, no listing, no `inspect` shows it. For the messages of a request (2 written, 10 reads) it takes 0.1 µs; a WeakMap takes 1.7 µs,
 * most of it in the garbage collector.
 *
 * To ask by `in` costs 0.02 µs where the field is there, and 0.1 µs where it is not: that goes up the prototypes. To add a field that is there
 * throws; so where it rarely is, adding it comes first.
 *
 * Each use is a class of its own, written out: functions that serve several fields make V8 look each one up by its name.
 */
// oxlint-disable-next-line no-extraneous-class
export class Attached {
  constructor(target: object) {
    // oxlint-disable-next-line no-constructor-return
    return target;
  }
}
