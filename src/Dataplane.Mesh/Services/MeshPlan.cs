using Dataplane.Packets;

namespace Dataplane.Mesh.Services;

/// <summary>What services have taken, by which one that comes or goes can be worked out alone. It is changed in place, and belongs to the last tables made with it.</summary>
internal sealed class MeshPlan
{
    /// <summary>Addresses of services' own.</summary>
    public required AddressPlan Addresses { get; init; }

    /// <summary>Addresses for the outside.</summary>
    public required AddressPlan Outside { get; init; }

    /// <summary>Addresses, ports and protocols with the keys of the services that have them.</summary>
    public required Dictionary<(IpAddress, ushort, byte), string> Taken { get; init; }

    /// <summary>What services are called besides, with the name space.</summary>
    public required HashSet<string> Aliases { get; init; }

    /// <summary>Whether some service is named more than once, so that one that goes may uncover another.</summary>
    public required bool HasHidden { get; init; }

    /// <summary>The names of reverse look-ups; null when they are not known, or some name is of several services.</summary>
    public HashSet<string>? Reverse { get; set; }

    /// <summary>Notes that a service has other names for reverse look-ups.</summary>
    public void ChangeReverse(MeshPart? before, MeshPart? now)
    {
        foreach (Dataplane.Names.NameRecord record in before?.Names.Reverse ?? [])
        {
            Reverse?.Remove(record.Name);
        }

        foreach (Dataplane.Names.NameRecord record in now?.Names.Reverse ?? [])
        {
            // Whose it is depends on the order of the services then.
            Reverse = Reverse?.Add(record.Name) == true ? Reverse : null;
        }
    }

    /// <summary>The name of an alias as that of a service would be.</summary>
    public static IEnumerable<string> AliasesOf(MeshServiceSpec service) => service.Aliases.Where(alias => alias != service.Name).Select(alias => $"{service.Namespace}/{alias}");
}
