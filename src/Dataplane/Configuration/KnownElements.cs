namespace Dataplane.Configuration;

/// <summary>Elements of a list that were read before: they stand in a tree in place of what they were read from.</summary>
/// <param name="objects">What they were read as, and other objects.</param>
/// <param name="start">The first of them among the objects.</param>
/// <param name="count">How many they are.</param>
/// <remarks>They are of use only where the list is one of their kind. Whoever made the tree asks <see cref="IsTaken"/> of all afterwards.</remarks>
internal sealed class KnownElements(object?[] objects, int start, int count)
{
    /// <summary>How many elements there are.</summary>
    public int Count => count;

    /// <summary>Whether they have become part of what was read.</summary>
    public bool IsTaken { get; private set; }

    /// <summary>Adds them to a list, if all are of its type.</summary>
    public void TakeInto<T>(List<T> list)
        where T : class
    {
        foreach (object? element in objects.AsSpan(start, count))
        {
            if (IsTaken || element is not T)
            {
                return;
            }
        }

        foreach (object? element in objects.AsSpan(start, count))
        {
            list.Add((T)element!);
        }

        IsTaken = true;
    }
}
