import { Page } from "../components/page.js";

export function NowPage() {
  return <Page title="Now">Soon</Page>;
}
