import { Page } from "../components/page.js";

export function MetricsPage() {
  return <Page title="Metrics">Soon</Page>;
}
