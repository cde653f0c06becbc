/* How far apart two words are, to name the valid word that a wrong one was meant to be. */
#ifndef DET_BASE_EDIT_DISTANCE_H
#define DET_BASE_EDIT_DISTANCE_H

/* Insertions, deletions, substitutions and swaps of neighbours that turn a into b (optimal string
 * alignment). Only the first 63 bytes of each word count. */
int det_edit_distance(const char *a, const char *b);

#endif
