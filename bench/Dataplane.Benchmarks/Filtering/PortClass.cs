namespace Dataplane.Benchmarks.Filtering;

/// <summary>The port classes of ClassBench; LO, 0 to 1023, is in none of the three shapes.</summary>
internal enum PortClass
{
    /// <summary>WC: all.</summary>
    Any,

    /// <summary>HI: 1024 to 65535.</summary>
    High,

    /// <summary>AR: some range.</summary>
    Range,

    /// <summary>EM: one port.</summary>
    One,
}
