import { useEffect, useRef } from "preact/hooks";
import { listKeys, useKeys } from "../keyboard.js";

/** All keys that work on this page. */
export function Help({ onClose }: { readonly onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const groups = useRef(listKeys()).current;
  useKeys("", [{ keys: "?", what: "", run: onClose }]);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog
      ref={dialog}
      class="help"
      aria-label="Keys"
      onClose={onClose}
      onClick={(event) => event.target === dialog.current && onClose()}
    >
      <div class="help-body">
        {groups.map(({ title, bindings }) => (
          <section key={title}>
            <h2>{title}</h2>
            <dl>
              {bindings.map(({ keys, what }) => (
                <div key={keys}>
                  <dt>
                    {keys.split(" ").map((key) => (
                      <kbd key={key}>{key}</kbd>
                    ))}
                  </dt>
                  <dd>{what}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
        <button type="button" onClick={onClose}>
          Close
        </button>
      </div>
    </dialog>
  );
}
