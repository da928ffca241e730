import { Page } from "../../components/page.js";

export function ComparePage({ traceId, otherId }: { readonly traceId: string; readonly otherId: string }) {
  return (
    <Page title="Compare">
      {traceId} {otherId}
    </Page>
  );
}
