interface InLine<Member> {
  before: Member | undefined;
  after: Member | undefined;
}

