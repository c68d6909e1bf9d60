namespace Dataplane.Benchmarks.Peers;

/// <summary>Our side of one comparison.</summary>
internal interface IPeerWork : IDisposable
{
    /// <summary>The cases, in the order of a round.</summary>
    IReadOnlyList<string> Cases { get; }

    /// <summary>Makes the data file.</summary>
    void Make(string path);

    /// <summary>Reads the data file and builds; says about memory and building what there is to say.</summary>
    void Load(string path, TextWriter output);

    /// <summary>Runs a case once and writes a line for each variant.</summary>
    void Round(string name, TextWriter output);
}
