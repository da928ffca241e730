/** What stands in at most one line. */
export interface InLine<Member> {
  before: Member | undefined;
  after: Member | undefined;
}

/** Who came first stands first. Members know their neighbours, so that to enter and to leave are a few writes and no allocation. */
export class Line<Member extends InLine<Member>> {
  first: Member | undefined = undefined;
  private last: Member | undefined = undefined;

  enter(member: Member): void {
    member.before = this.last;
    if (this.last === undefined) this.first = member;
    else this.last.after = member;
    this.last = member;
  }

  leave(member: Member): void {
    const { before, after } = member;
    if (before === undefined) this.first = after;
    else before.after = after;
    if (after === undefined) this.last = before;
    else after.before = before;
    // What is dead in old space would keep its neighbours alive.
    member.before = undefined;
    member.after = undefined;
  }
}
