// Package beyond shows, with FRR's bmp module, what Holdfast tells of its routes
// beyond the edge: an edge and a transit as BMP stations' sources, a peer whose
// routes can leak, and policies put on the edge by hand.
package beyond
