// Tests here count the process's descriptors and mappings and measure its allocations: one at a time.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
