using System.Runtime.Versioning;

// One network at a time: what these tests load is the machine, and what they measure are shares and losses.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
[assembly: SupportedOSPlatform("linux")]
