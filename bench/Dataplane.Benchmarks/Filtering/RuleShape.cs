namespace Dataplane.Benchmarks.Filtering;

/// <summary>What a kind of rule set is made of, as distributions; weights need not add up to anything.</summary>
/// <remarks>
/// After the published ClassBench seeds of the same names (Taylor and Turner, "ClassBench: A Packet Classification Benchmark", INFOCOM 2005):
/// an access list, a firewall, an IP chain. Rounded; pairs of prefix lengths that come once in some hundreds of rules are left out.
/// </remarks>
internal sealed record RuleShape
{
    /// <summary>The name of the seed.</summary>
    public required string Name { get; init; }

    /// <summary>Source and destination prefix lengths.</summary>
    public required (int Source, int Destination, double Weight)[] Lengths { get; init; }

    /// <summary>Protocols (-1: any), and for each its pairs of source and destination port class.</summary>
    public required (int Protocol, double Weight, (PortClass Source, PortClass Destination, double Weight)[] Ports)[] Protocols { get; init; }

    /// <summary>How many different ports and port ranges stand for a source.</summary>
    public required int SourcePorts { get; init; }

    /// <summary>How many different ports and port ranges stand for a destination.</summary>
    public required int DestinationPorts { get; init; }

    /// <summary>Different source prefixes by rule.</summary>
    public required double Sources { get; init; }

    /// <summary>Different destination prefixes by rule.</summary>
    public required double Destinations { get; init; }

    /// <summary>Conditions on TCP flags, as a share of the TCP rules.</summary>
    public double Flags { get; init; }

    /// <summary>An access list: nearly all rules name a host or a small network on both sides, and one service of many.</summary>
    public static RuleShape Acl1 { get; } = new()
    {
        Name = "acl1",
        Lengths =
        [
            (32, 32, 75.2), (32, 22, 5.3), (23, 32, 4.5), (32, 24, 3.4), (31, 32, 2.7), (23, 16, 1.6), (30, 22, 1.6), (32, 31, 1), (31, 22, 0.8),
            (30, 32, 0.6), (32, 30, 0.6), (23, 31, 0.3), (23, 28, 0.3), (8, 0, 0.2), (23, 8, 0.2), (23, 26, 0.2), (23, 0, 0.1), (0, 23, 0.1),
        ],
        Protocols =
        [
            (-1, 8.5, [(PortClass.Any, PortClass.Any, 1)]),
            (1, 3.1, [(PortClass.Any, PortClass.Any, 1)]),
            (6, 87.3, [(PortClass.Any, PortClass.Any, 21.6), (PortClass.Any, PortClass.Range, 13.1), (PortClass.Any, PortClass.One, 65.3)]),
            (17, 1.1, [(PortClass.Any, PortClass.Range, 12.5), (PortClass.Any, PortClass.One, 87.5)]),
        ],
        SourcePorts = 1,
        DestinationPorts = 107,
        Sources = 0.4,
        Destinations = 0.12,
        Flags = 0.19,
    };

    /// <summary>A firewall: from anywhere to a host, from a host to anywhere, and a few services.</summary>
    public static RuleShape Fw1 { get; } = new()
    {
        Name = "fw1",
        Lengths =
        [
            (0, 32, 58.8), (32, 0, 15.7), (32, 32, 6.4), (32, 21, 1.9), (30, 0, 1.7), (21, 0, 1.5), (23, 0, 1.5), (28, 32, 1.4), (27, 0, 1.4), (32, 28, 1.4),
            (30, 32, 1.4), (32, 30, 1.4), (0, 0, 1.1), (29, 0, 0.7), (28, 0, 0.7), (28, 28, 0.6), (26, 21, 0.5), (0, 27, 0.4), (26, 0, 0.4), (12, 0,
                0.4), (16, 0, 0.3), (8, 0, 0.3),
        ],
        Protocols =
        [
            (-1, 1.1, [(PortClass.Any, PortClass.Any, 1)]),
            (1, 3.9, [(PortClass.Any, PortClass.Any, 1)]),
            (6, 57.2, [(PortClass.Any, PortClass.Any, 18.5), (PortClass.High, PortClass.High, 6.8), (PortClass.Any, PortClass.One, 74.7)]),
            (17, 32.2,
            [
                (PortClass.High, PortClass.High, 6.6), (PortClass.High, PortClass.Range, 1.1), (PortClass.Range, PortClass.High, 1.1), (PortClass.Any,
                    PortClass.One, 42.9),
                (PortClass.One, PortClass.Any, 30.8), (PortClass.High, PortClass.One, 5.5), (PortClass.One, PortClass.High, 5.5), (PortClass.One,
                    PortClass.One, 6.6),
            ]),
            (47, 5.7, [(PortClass.Any, PortClass.Any, 1)]),
        ],
        SourcePorts = 11,
        DestinationPorts = 41,
        Sources = 0.4,
        Destinations = 0.72,
        Flags = 0.99,
    };

    /// <summary>An IP chain: networks and hosts of all sizes, services by either port.</summary>
    public static RuleShape Ipc1 { get; } = new()
    {
        Name = "ipc1",
        Lengths =
        [
            (32, 32, 24.8), (24, 32, 9.9), (24, 24, 7.7), (32, 24, 6), (23, 24, 3.7), (0, 32, 3.5), (23, 32, 3.2), (32, 26, 2.8), (24, 16, 2.7), (24,
                26, 2), (24, 0, 2),
            (26, 24, 1.8), (16, 24, 1.7), (32, 0, 1.6), (0, 24, 1.6), (16, 32, 1.5), (32, 16, 1.2), (24, 28, 1.1), (23, 16, 0.9), (26, 32, 0.9), (24,
                23, 0.8), (22, 24, 0.8),
            (28, 28, 4), (27, 30, 3), (30, 29, 3), (26, 16, 2), (21, 30, 2), (18, 27, 1.5), (16, 0, 0.7), (0, 16, 0.6),
        ],
        Protocols =
        [
            (-1, 34.5, [(PortClass.Any, PortClass.Any, 1)]),
            (1, 1.1, [(PortClass.Any, PortClass.Any, 1)]),
            (6, 26.1,
            [
                (PortClass.Any, PortClass.Any, 8.5), (PortClass.Any, PortClass.Range, 7), (PortClass.Range, PortClass.Any, 6.5), (PortClass.Any,
                    PortClass.One, 50.3),
                (PortClass.One, PortClass.Any, 27.4), (PortClass.One, PortClass.Range, 0.2),
            ]),
            (17, 37.7,
            [
                (PortClass.Any, PortClass.Any, 0.8), (PortClass.Any, PortClass.High, 17.3), (PortClass.High, PortClass.Any, 0.9), (PortClass.Any,
                    PortClass.Range, 1.7),
                (PortClass.Range, PortClass.Any, 0.8), (PortClass.Any, PortClass.One, 58.4), (PortClass.One, PortClass.Any, 19.3), (PortClass.One,
                    PortClass.One, 0.8),
            ]),
            (47, 0.3, [(PortClass.Any, PortClass.Any, 1)]),
            (50, 0.1, [(PortClass.Any, PortClass.Any, 1)]),
            (51, 0.1, [(PortClass.Any, PortClass.Any, 1)]),
        ],
        SourcePorts = 32,
        DestinationPorts = 52,
        Sources = 0.16,
        Destinations = 0.28,
        Flags = 0.41,
    };

    /// <summary>All three.</summary>
    public static IReadOnlyList<RuleShape> All { get; } = [Acl1, Fw1, Ipc1];
}
