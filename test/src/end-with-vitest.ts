// A worker outlives a vitest that was killed until its tests end, and so do the servers they started. It hears of that
// end as the end of its channel. (process.exit is not itself in here.)
process.once("disconnect", () => process.kill(process.pid, "SIGKILL"));
