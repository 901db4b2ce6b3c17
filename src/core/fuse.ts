/** How the lists of words and of vectors become one. Pure. */

/**
 * Reciprocal rank fusion: a passage scores weight / (k + rank) in each list that has it. A small `k` trusts the
 * first of each list; a weight of 0 leaves a list out.
 */
export type Fusion = { k: number; words: number; vectors: number }

export const FUSION: Fusion = { k: 10, words: 0.4, vectors: 0.6 }

/** What nearness still weighs in a language that the model does not know. */
const UNKNOWN = 0.15

/** The weights for a question in a language that the embedding model knows, or does not. */
export function weigh(fusion: Fusion, known: boolean): Fusion {
  return known ? fusion : { ...fusion, vectors: fusion.vectors * UNKNOWN }
}
