package main

// exceptions are the numbers that are over their limits.
var exceptions = []exception{
	{"bot/githubtest", cycleOfFiles, 23, "a GitHub: its routes name every handler, and each handler needs the server"},
	{"deployer/cloudbuild", methodsOfType, 43, "a File is checked, looked through, chosen from and rid of steps"},
}
