namespace Dataplane.Names;

/// <summary>A zone of a <see cref="NameBook"/>. Control side.</summary>
internal sealed class NameZone(string top, ZoneSpec spec, int number)
{
    /// <summary>Its name, normalised.</summary>
    public string Top => top;

    /// <summary>Its number in the tables.</summary>
    public int Number => number;

    /// <summary>The zone as it is now: its records may change, its settings do not.</summary>
    public ZoneSpec Spec { get; set; } = spec;

    /// <summary>The name of the server itself in the zone; null when the zone has none: it is partial, or its name leaves no room.</summary>
    public string? ServerName { get; } = spec.IsPartial || IsLong(top) ? null : $"ns.dns.{top}";

    /// <summary>Whether the names that every zone has do not fit below its top.</summary>
    public static bool IsLong(string top) => top.Length + "hostmaster.".Length >= DomainName.MaxWireBytes - 2;

    /// <summary>Whether two zones differ in their records alone.</summary>
    public static bool HaveSameSettings(ZoneSpec one, ZoneSpec other) =>
        one.IsPartial == other.IsPartial && one.TtlSeconds == other.TtlSeconds && one.NegativeTtlSeconds == other.NegativeTtlSeconds;
}
