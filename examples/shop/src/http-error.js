/** An error that the client caused: its message is shown to them. */
export function httpError(status, message) {
  return Object.assign(new Error(message), { status });
}

export function positiveInteger(text, name) {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 2_147_483_647)
    throw httpError(400, `${name} must be a positive integer`);
  return value;
}
