namespace Dataplane.Tests.Conformance;

/// <summary>Cases that share a configuration.</summary>
/// <remarks>Each case has ports and identifiers of its own, so that all can run one after the other through one engine.</remarks>
internal sealed class ConformanceGroup
{
    /// <summary>Ports a case has for itself.</summary>
    public const int PortsOfACase = 64;

    private const ushort FirstPort = 8192;
    private readonly List<ConformanceCase> _cases = [];

    /// <param name="name">Unique.</param>
    /// <param name="configure">What is added to the addresses of <see cref="ConformanceWorld"/>, for both families.</param>
    /// <param name="cases">Adds the cases.</param>
    public ConformanceGroup(string name, Action<DataplaneBuilder> configure, Action<ConformanceGroup> cases)
    {
        (Name, Configure) = (name, configure);
        cases(this);
    }

    public string Name { get; }

    public Action<DataplaneBuilder> Configure { get; }

    /// <summary>Largest packet towards the inside.</summary>
    public int LanMtuBytes { get; init; } = 1500;

    /// <summary>The same configuration for Linux, with nft and ip; null where it has none.</summary>
    public LinuxRules? Linux { get; init; }

    public IReadOnlyList<ConformanceCase> Cases => _cases;

    /// <summary>Adds a case in both families.</summary>
    public void Both(string rule, string source, Action<CaseScript> steps, CaseNeeds needs = CaseNeeds.None, string? linux = null) => Both(rule, source, source, steps, needs, linux);

    /// <summary>Adds a case in both families, which two documents speak of.</summary>
    public void Both(string rule, string source4, string source6, Action<CaseScript> steps, CaseNeeds needs = CaseNeeds.None, string? linux = null)
    {
        V4(rule, source4, steps, needs, linux);
        V6(rule, source6, steps, needs, linux);
    }

    /// <summary>Adds a case of IPv4.</summary>
    public void V4(string rule, string source, Action<CaseScript> steps, CaseNeeds needs = CaseNeeds.None, string? linux = null) =>
        _cases.Add(new ConformanceCase(Name, rule, 4, source, needs, linux, steps));

    /// <summary>Adds a case of IPv6.</summary>
    public void V6(string rule, string source, Action<CaseScript> steps, CaseNeeds needs = CaseNeeds.None, string? linux = null) =>
        _cases.Add(new ConformanceCase(Name, rule, 6, source, needs, linux, steps));

    /// <summary>Plays a case on a bed that has this group's configuration.</summary>
    public void Play(ConformanceCase played, ICaseBed bed)
    {
        played.Steps(new CaseScript(played.Family, (ushort)(FirstPort + (_cases.IndexOf(played) * PortsOfACase)), bed));
        bed.End();
    }
}
