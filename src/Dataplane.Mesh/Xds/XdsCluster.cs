using Dataplane.Balancing;

namespace Dataplane.Mesh.Xds;

/// <summary>A cluster (envoy.config.cluster.v3.Cluster), as far as it says who serves. Immutable.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Assignment">Name of its endpoints at the server; null when it has them itself, or others find them.</param>
/// <param name="Own">Endpoints that it has itself; null when it has none.</param>
/// <param name="Balance">How one of them is chosen.</param>
internal sealed record XdsCluster(string Name, string? Assignment, XdsAssignment? Own, BalancePolicy Balance)
{
    public const string TypeUrl = "type.googleapis.com/envoy.config.cluster.v3.Cluster";

    /// <summary>Values of Cluster.DiscoveryType.</summary>
    private const ulong Static = 0, Eds = 3;

    /// <summary>Whether its endpoints can be known: those that are found by names or by where packets went before cannot.</summary>
    public bool IsKnown => Assignment is not null || Own is not null;

    /// <summary>Reads one.</summary>
    /// <exception cref="InvalidDataException">It cannot be read, or is none; the message says why.</exception>
    public static XdsCluster Read(ReadOnlySpan<byte> message)
    {
        string name = "", assignment = "";
        ulong type = Static, policy = 0;
        ReadOnlySpan<byte> own = default;
        bool isCustom = false;
        var reader = new ProtobufReader(message);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    name = reader.Text();
                    break;
                case 2:
                    type = reader.Number();
                    break;
                case 3:
                    assignment = ReadServiceName(reader.Bytes());
                    break;
                case 6:
                    policy = reader.Number();
                    break;
                case 33:
                    own = reader.Bytes();
                    break;
                case 38:
                    isCustom = true;
                    break;
            }
        }

        if (name.Length == 0)
        {
            throw new InvalidDataException("a cluster has no name");
        }

        if (type > 4)
        {
            throw new InvalidDataException($"cluster {name}: type {type} is none of 0 to 4");
        }

        return isCustom || type is not (Static or Eds) ? new XdsCluster(name, null, null, BalanceOf(policy))
            : type == Eds ? new XdsCluster(name, assignment.Length > 0 ? assignment : name, null, BalanceOf(policy))
            : new XdsCluster(name, null, XdsAssignment.Read(own, name), BalanceOf(policy));
    }

    private static string ReadServiceName(ReadOnlySpan<byte> message)
    {
        string name = "";
        var reader = new ProtobufReader(message);
        while (reader.Next())
        {
            name = reader.Field == 2 ? reader.Text() : name;
        }

        return name;
    }

    /// <summary>Cluster.LbPolicy. Taking turns and chance are the consistent hash here: shares are the same, and every gateway chooses alike.</summary>
    private static BalancePolicy BalanceOf(ulong policy) => policy switch
    {
        1 => BalancePolicy.PowerOfTwo,
        2 => BalancePolicy.Rendezvous,
        _ => BalancePolicy.Maglev,
    };
}
