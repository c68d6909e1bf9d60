using Dataplane.Native;

namespace Dataplane.Ports;

/// <summary>A port of one queue whose descriptor another process can go on with: frames that wait in it are neither lost nor seen twice.</summary>
internal interface IPassedPort : IPort
{
    /// <summary>What the other process gets a copy of.</summary>
    FileDescriptor PassedDescriptor { get; }

    /// <summary>While set, nothing more is taken from the kernel, where frames wait; what was taken in part is received to its end. Any thread.</summary>
    bool IsPaused { get; set; }

    /// <summary>Whether nothing that was taken is left to receive. The worker.</summary>
    bool IsAtRest { get; }

    /// <summary>Where in the ring to go on, while at rest; 0 where there is no ring.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such place.</exception>
    int Position { get; set; }
}
