import { Page } from "../components/page.js";

export function QueriesPage() {
  return <Page title="Queries">Soon</Page>;
}
