import { Page } from "../components/page.js";

export function PoolsPage() {
  return <Page title="Pools">Soon</Page>;
}
