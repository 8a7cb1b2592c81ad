// Package bottest has the data of the bot's tests: an application, its versions, releases
// in every state ([Reported], [GoesBack] and the [Happening]s), and situations in which
// somebody types a command ([Situation]).
package bottest
