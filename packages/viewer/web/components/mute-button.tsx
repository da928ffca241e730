import { useState } from "preact/hooks";
import type { FindingItem } from "../../src/api/answers.js";
import { apiPath, post } from "../api.js";

export const mute = (finding: FindingItem): Promise<FindingItem> =>
  post<FindingItem>(apiPath(["findings", finding.id, "mute"]), { muted: !finding.isMuted });

/** Mutes a finding, or hears it again. */
export function MuteButton({
  finding,
  onMute,
}: {
  readonly finding: FindingItem;
  readonly onMute: (finding: FindingItem) => void;
}) {
  const [problem, setProblem] = useState<string>();
  const press = async () => {
    setProblem(undefined);
    try {
      onMute(await mute(finding));
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <span class="mute">
      {problem !== undefined && (
        <span class="bad" role="alert">
          ✕ {problem}
        </span>
      )}
      <button type="button" class="quiet" onClick={() => void press()}>
        {finding.isMuted ? "Unmute" : "Mute"}
      </button>
    </span>
  );
}
