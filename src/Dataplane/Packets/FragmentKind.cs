namespace Dataplane.Packets;

/// <summary>Which part of an IP packet a frame carries.</summary>
public enum FragmentKind : byte
{
    /// <summary>The whole packet.</summary>
    None = 0,

    /// <summary>The first fragment: transport header inside.</summary>
    First,

    /// <summary>A later fragment, the last included: no transport header inside.</summary>
    Later,
}
