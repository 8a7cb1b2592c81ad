// Package bottest has what the bot's tests talk about: an application, its versions,
// releases to which things happen, and situations in which a command is typed.
package bottest
