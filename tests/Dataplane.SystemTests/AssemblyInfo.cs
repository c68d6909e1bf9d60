using System.Runtime.Versioning;

// Every test has networks of its own, and most of its time it waits for others: two at a time need half the time and load the machine no more than one that does not wait.
[assembly: CollectionBehavior(MaxParallelThreads = 2)]
[assembly: SupportedOSPlatform("linux")]
