using Dataplane.Native;

namespace Dataplane.Ports;

/// <summary>The state of an interface as the state of a link.</summary>
internal static class InterfaceStates
{
    public static LinkState ToLinkState(this InterfaceState state) => state switch
    {
        InterfaceState.Up => LinkState.Up,
        InterfaceState.Down => LinkState.Down,
        _ => LinkState.Gone,
    };
}
