using System.Text.Json.Serialization;

namespace Dataplane.Gateway.Networks.Measuring;

/// <summary>What was found between two endpoints, one way.</summary>
/// <param name="From">Name of the one that asks.</param>
/// <param name="To">Name of the one that answers.</param>
/// <param name="Network">Network of the one that answers.</param>
/// <param name="Address">Address that was asked.</param>
/// <param name="Expected">Whether it should be reached.</param>
/// <param name="Reached">Whether it was.</param>
internal sealed record PairReport(string From, string To, string Network, string Address, bool Expected, bool Reached)
{
    /// <summary>Datagrams that were sent one after the other.</summary>
    public int Sent { get; init; }

    /// <summary>Of them without an answer.</summary>
    public int Lost { get; init; }

    /// <summary>Round trips of the others in microseconds.</summary>
    public double? MinUs { get; init; }

    public double? MedianUs { get; init; }

    public double? MaxUs { get; init; }

    /// <summary>What one TCP connection carried, in megabits per second.</summary>
    public double? MegabitsPerSecond { get; init; }

    /// <summary>How it was asked where that was not by datagrams: <c>echo</c>, of endpoints attached by memif.</summary>
    public string? By { get; init; }

    /// <summary>Why it was not reached, as far as that is known.</summary>
    public string? Detail { get; init; }

    [JsonIgnore]
    public bool IsAsExpected => Expected == Reached;
}

/// <summary>What was found of a network.</summary>
internal sealed record NetworkReport(string Network, IReadOnlyList<string> Endpoints, IReadOnlyList<PairReport> Pairs)
{
    /// <summary>Names of the endpoints that were asked and could not ask themselves: those attached by memif.</summary>
    public IReadOnlyList<string> OnlyAsked { get; init; } = [];

    /// <summary>Pairs that should reach each other and do not.</summary>
    public int Unreachable => Pairs.Count(pair => pair.Expected && !pair.Reached);

    /// <summary>Pairs that should not reach each other and do.</summary>
    public int Leaks => Pairs.Count(pair => !pair.Expected && pair.Reached);
}

/// <summary>How it is written.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(NetworkReport))]
internal sealed partial class ReportJson : JsonSerializerContext;
