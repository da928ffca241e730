/**
 * A sum that is the same in whatever order its parts are added, and that never falls when a part grows: it keeps what rounding takes
 * away (Knuth's TwoSum). To Prometheus the last digit less is a counter that began anew, and all of it an increase.
 */
export class ExactSum {
  /** The sum, rounded … */
  value = 0;
  /** … and what is missing from it. */
  rest = 0;

  add(value: number, rest = 0): void {
    const sum = this.value + value;
    if (Number.isFinite(sum)) {
      const added = sum - this.value;
      this.rest += this.value - (sum - added) + (value - added) + rest;
    } else {
      this.rest = 0;
    }
    this.value = sum;
  }

  get total(): number {
    return this.value + this.rest;
  }
}
