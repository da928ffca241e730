import { Page } from "../components/page.js";

export function QueryPage({ fingerprint }: { readonly fingerprint: string }) {
  return <Page title="Query">{fingerprint}</Page>;
}
