package main

// exceptions are the numbers that are over their limits.
var exceptions = []exception{
	{"bot", methodsOfType, 39, "a thread is one call of Publish"},
	{"bot/command", methodsOfType, 45, "a Situation is judged by every command"},
	{"bot/githubapp", methodsOfType, 31, "a Client asks GitHub everything"},
	{"bot/report", methodsOfType, 66, "a view renders every part of a comment"},
	{"bot/githubtest", cycleOfFiles, 23, "a GitHub: its routes name every handler, and each handler needs the server"},
	{"deployer/cloudbuild", methodsOfType, 43, "a File is checked, looked through, chosen from and rid of steps"},
}
