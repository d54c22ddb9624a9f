// Ranks of search results: Sphinx's own, but of pages that match by their text, those of the API come last.
// They name every option of every class, and would hide the pages that say what an option is for.
var Scorer = {
  score: ([docname, , , , score, , kind]) =>
    kind === "text" && docname.startsWith("reference/api/") ? score - 1 : score,
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
