// When to try again.

const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 15_000;

/** The pause after so many failures, at least 1: twice as long each time, and never the same for all browsers. */
export const pauseAfter = (failures) =>
  Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (failures - 1)) * (0.5 + Math.random() / 2);
