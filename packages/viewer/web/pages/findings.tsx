import { Page } from "../components/page.js";

export function FindingsPage() {
  return <Page title="Findings">Soon</Page>;
}
