package main

// exceptions are the numbers that are over their limits.
var exceptions = []exception{
	{"bot", cycleOfFiles, 37, "what decides, reports and publishes takes texts and times from each other"},
	{"bot", methodsOfType, 67, "a view renders every part of a comment"},
	{"bot/githubtest", cycleOfFiles, 23, "a GitHub: its routes name every handler, and each handler needs the server"},
	{"deployer", cycleOfFiles, 37, "every act is a method of attempt, which the track's table names"},
	{"deployer", methodsOfType, 215, "every act is a method of attempt, and a look's are attempt's, too"},
	{"deployer/cloudbuild", methodsOfType, 43, "a File is checked, looked through, chosen from and rid of steps"},
}
