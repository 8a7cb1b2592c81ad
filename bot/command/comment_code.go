package command

// Codes of answers that only a comment gets: only a comment may mean one of several
// applications, and only its author's permission is checked.
const (
	CodeOtherBranches      Code = "OtherBranches"
	CodeAmbiguous          Code = "Ambiguous"
	CodeAmbiguousName      Code = "AmbiguousName" // several namespaces have Typed
	CodeUnknownApplication Code = "UnknownApplication"
	CodeUnknownWord        Code = "UnknownWord" // neither an application nor a hash
	CodeTooLong            Code = "TooLong"     // than Number KB
	CodeSeveralCommands    Code = "SeveralCommands"
	CodeBadArgument        Code = "BadArgument"
	CodeTooManyWords       Code = "TooManyWords"
	CodeNoHash             Code = "NoHash"   // none of Words is one
	CodeNearMiss           Code = "NearMiss" // Typed is not a command, but nearly Next[0]
	CodeForbidden          Code = "Forbidden"
	CodeAskedAfter         Code = "AskedAfter" // Next[0] was asked later and undid it; Next[1] is the command again
	CodeNamesTaken         Code = "NamesTaken"
	CodeAskedMeanwhile     Code = "AskedMeanwhile"
	CodeGone               Code = "Gone"
	CodeUnlockedMeanwhile  Code = "UnlockedMeanwhile"
	CodeUnlockedByOther    Code = "UnlockedByOther"
	CodeLockedAndUnlocked  Code = "LockedAndUnlocked"
	CodeNewerRecord        Code = "NewerRecord" // a newer Turnout wrote Application's record
)
