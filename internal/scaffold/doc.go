// Package scaffold writes what an application lacks until Turnout can release it, as files
// that a person reviews. It applies nothing.
//
// The way through the package:
//
//	Look     what a folder of a repository says: remote, branch, build, program
//	Read     what runs in a namespace
//	Make     the [Plan]: files, what to look at, and the next steps in their order
//	Write    puts the files into the folder
//
// # Decisions
//
// Files are of three kinds, in three folders, by what happens if somebody applies them again a
// year later. Those in the folder itself may be applied at any time. Those in once/ are made
// with kubectl create, which refuses what exists: a release changes the image and the size of a
// Deployment and the backends of an Ingress, so applying their files again would bring users an
// old version, or none. Those in changes/ are patches of objects that others wrote. They have no kind,
// so nobody applies them by accident and thereby removes fields that they do not name.
//
// A Deployment that knows of no colours stays as it is. Its selector is immutable, and a
// label in its template would roll its pods, which loses requests where pods have no preStop or
// the strategy is Recreate. A copy of it with the colour's label starts beside it. When all
// pods of the copy are ready, the Service's selector is narrowed to them. The former pods
// still run then, and finish what they answer. Until they are scaled down, one patch leads back.
//
// It asks for nothing that it can find out. If several objects may be meant, or there is no
// sign, one error names all missing flags.
package scaffold
