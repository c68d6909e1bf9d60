namespace Dataplane.Gateway.Demo.Screen;

/// <summary>What the demo did to a backend.</summary>
internal enum BackendState
{
    Absent,
    Alive,
    Killed,
    Removed,
}
