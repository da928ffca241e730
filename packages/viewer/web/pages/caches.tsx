import { Page } from "../components/page.js";

export function CachesPage() {
  return <Page title="Caches">Soon</Page>;
}
