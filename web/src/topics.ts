/** Questions to begin with: each has at least two sides, and none needs today's news. */

export const TOPICS = [
  "Should a hospital let a model read every discharge letter before a doctor does?",
  "Is it better to rewrite an old system or to keep repairing it?",
  "What would convince you that an animal thinks?",
  "Should a city make its public transport free?",
  "Can a map be too accurate?",
];
